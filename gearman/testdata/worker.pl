# A worker for TestPeers: worker.pl HOST PORT
use strict;
use warnings;
use Gearman::Worker;
use Time::HiRes qw(sleep);

my ($host, $port) = @ARGV;
my $w = Gearman::Worker->new(job_servers => "$host:$port");
$w->register_function(upper => sub { uc shift->arg });
$w->register_function(echo => sub { shift->argref });
$w->register_function(fails => sub { undef });
# One that dies is of no use here: the worker fails the job, too, and ends when
# the server knows of no such job.
$w->register_function(throws => sub { $w->send_work_exception(shift, "boom") });
$w->register_function(events => sub {
    my $job = shift;
    $job->set_status(1, 4);
    $w->send_work_data($job, "half");
    $w->send_work_warning($job, "careful");
    return "done";
});
$w->register_function(note => sub {
    my $job = shift;
    my ($gate, $log, $word) = split / /, $job->arg;
    $job->set_status(3, 10);
    sleep 0.001 until -e $gate;
    open my $f, ">>", $log or die $!;
    print $f "$word ";
    close $f or die $!;
    return "noted";
});
$w->work;
