/* bench HOST PORT WHAT N SET does WHAT n times, in sets of as many tasks as
 * SET says, and prints how many seconds that took. A set of status tasks never
 * ends in libgearman 1.1.20: status is asked for one by one. */
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static gearman_client_st *client;
static char workload[64];
static gearman_job_handle_t handle = "H:nowhere:1";

static void check(gearman_return_t r)
{
	if (gearman_failed(r)) {
		fprintf(stderr, "%s: %s\n", gearman_strerror(r), gearman_client_error(client));
		exit(1);
	}
}

static void one(char what)
{
	bool known, running;
	uint32_t n, d;
	size_t size;
	gearman_return_t r;
	switch (what) {
	case 'b':
		check(gearman_client_do_background(client, "f", NULL, workload, sizeof workload, NULL));
		break;
	case 's':
		check(gearman_client_job_status(client, handle, &known, &running, &n, &d));
		break;
	default:
		free(gearman_client_do(client, "f", NULL, workload, sizeof workload, &size, &r));
		check(r);
	}
}

static void set(char what, int n)
{
	gearman_return_t r;
	for (int i = 0; i < n; i++) {
		if (what == 'b')
			gearman_client_add_task_background(client, NULL, NULL, "f", NULL, workload, sizeof workload, &r);
		else
			gearman_client_add_task(client, NULL, NULL, "f", NULL, workload, sizeof workload, &r);
		check(r);
	}
	check(gearman_client_run_tasks(client));
	gearman_client_task_free_all(client);
}

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	char what = argv[3][0];
	int left = atoi(argv[4]), size = atoi(argv[5]);
	memset(workload, 'x', sizeof workload);
	client = gearman_client_create(NULL);
	check(gearman_client_add_server(client, argv[1], atoi(argv[2])));
	check(gearman_client_echo(client, "x", 1));
	double start = now();
	for (; left > 0; left -= size) {
		if (size == 1)
			one(what);
		else
			set(what, left < size ? left : size);
	}
	printf("%.6f\n", now() - start);
	gearman_client_free(client);
	return 0;
}
