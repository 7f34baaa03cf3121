package jobserver

// workerConversations are about which worker gets which job, and when.
var workerConversations = []testConversation{
	{name: "priorities", script: `
		c> SUBMIT_JOB_LOW_BG f||l1
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f||n1
		c< JOB_CREATED $2
		c> SUBMIT_JOB_HIGH_BG f||h1
		c< JOB_CREATED $3
		c> SUBMIT_JOB_BG f||n2
		c< JOB_CREATED $4
		c> SUBMIT_JOB_HIGH_BG f||h2
		c< JOB_CREATED $5
		a! prioritystatus
		a= f 2 2 1 0
		a= .
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $3|f|h1
		w> GRAB_JOB
		w< JOB_ASSIGN $5|f|h2
		w> GRAB_JOB
		w< JOB_ASSIGN $2|f|n1
		w> GRAB_JOB
		w< JOB_ASSIGN $4|f|n2
		a! prioritystatus
		a= f 0 0 1 1
		a= .
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|l1
		a! status
		a= f 5 5 1
		a= .`},
	{name: "the function announced last is served first, whatever the priority", script: `
		c> SUBMIT_JOB_HIGH_BG f||a
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG g||b
		c< JOB_CREATED $2
		c> SUBMIT_JOB_LOW_BG h||c
		c< JOB_CREATED $3
		w> CAN_DO f
		w> CAN_DO g
		w> CAN_DO h
		w> GRAB_JOB
		w< JOB_ASSIGN $3|h|c
		w> GRAB_JOB
		w< JOB_ASSIGN $2|g|b
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|a`},

	{name: "NOOP, one and at once", script: `
		w> CAN_DO f
		w> PRE_SLEEP
		c> SUBMIT_JOB_BG f||one
		c< JOB_CREATED $1
		w< NOOP
		c> SUBMIT_JOB_BG f||two
		c< JOB_CREATED $2
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|one
		w> PRE_SLEEP
		w< NOOP
		w> GRAB_JOB
		w< JOB_ASSIGN $2|f|two
		w> GRAB_JOB
		w< NO_JOB
		c> SUBMIT_JOB_BG f||three
		c< JOB_CREATED $3
		w> PRE_SLEEP
		w< NOOP`},
	{name: "every sleeping worker is woken", script: `
		v> CAN_DO f
		v> PRE_SLEEP
		w> CAN_DO g
		w> CAN_DO f
		w> PRE_SLEEP
		x> CAN_DO g
		x> PRE_SLEEP
		c> SUBMIT_JOB_BG f||one
		c< JOB_CREATED $1
		v< NOOP
		w< NOOP`},
	{name: "a worker that was too late and sleeps again",
		why: "gearmand sends no second NOOP until the worker grabs, and it sleeps on beside the job",
		script: `
		v> CAN_DO f
		v> PRE_SLEEP
		c> SUBMIT_JOB_BG f||one
		c< JOB_CREATED $1
		v< NOOP
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|one
		v> PRE_SLEEP
		c> SUBMIT_JOB_BG f||two
		c< JOB_CREATED $2
		ours| v< NOOP`},
	{name: "a sleeping worker announces a function that has a job",
		why: "gearmand lets it sleep until the next job",
		script: `
		c> SUBMIT_JOB_BG f||one
		c< JOB_CREATED $1
		w> PRE_SLEEP
		w> CAN_DO f
		ours| w< NOOP`},

	{name: "a worker dies",
		why: "gearmand puts the job behind those that wait",
		script: `
		w> CAN_DO f
		c> SUBMIT_JOB f||one
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f||two
		c< JOB_CREATED $2
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|one
		w> WORK_STATUS $1|1|2
		c< WORK_STATUS $1|1|2
		v> CAN_DO f
		v> PRE_SLEEP
		v< NOOP
		w.
		a~ show jobs: $1 1 0 0
		a> GET_STATUS $1
		a< STATUS_RES $1|1|0|0|0
		ours|     v> GRAB_JOB
		ours|     v< JOB_ASSIGN $1|f|one
		v> GRAB_JOB
		v< JOB_ASSIGN $2|f|two
		gearmand| v> GRAB_JOB
		gearmand| v< JOB_ASSIGN $1|f|one
		v> WORK_COMPLETE $1|done
		c< WORK_COMPLETE $1|done`},
	{name: "a worker takes back what it announced", script: `
		w> CAN_DO f
		w> CAN_DO g
		c> SUBMIT_JOB_BG f||one
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG g||two
		c< JOB_CREATED $2
		w> GRAB_JOB
		w< JOB_ASSIGN $2|g|two
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|one
		w> CANT_DO g
		c> GET_STATUS $2
		c< STATUS_RES $2|1|0|0|0
		c> GET_STATUS $1
		c< STATUS_RES $1|1|1|0|0
		w> WORK_COMPLETE $2|late
		w< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> GRAB_JOB
		w< NO_JOB
		w> RESET_ABILITIES
		c> GET_STATUS $1
		c< STATUS_RES $1|1|0|0|0
		w> CANT_DO nothing
		a~ status: f 1 0 0
		a~ status: g 1 0 0`},
	{name: "a function announced twice",
		why: "gearmand counts the worker twice",
		script: `
		w> CAN_DO f
		w> CAN_DO f
		w> CAN_DO_TIMEOUT f|5000
		ours|     a~ status: f 0 0 1
		gearmand| a~ status: f 0 0 3
		w> CANT_DO f
		a~ status: f 0 0 0`},
	{name: "a job times out",
		why: "gearmand counts the job as running forever",
		script: `
		w> CAN_DO_TIMEOUT f|10
		c> SUBMIT_JOB f||work
		c< JOB_CREATED $1
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		a~ show jobs: $1 1 0 0
		c> GET_STATUS $1
		c< STATUS_RES $1|1|0|0|0
		w> WORK_COMPLETE $1|late
		w< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		w> WORK_COMPLETE $1|done
		c< WORK_COMPLETE $1|done`},

	{name: "a time that has passed", script: `
		c> SUBMIT_JOB_EPOCH f||now-5|past
		c< JOB_CREATED $1
		c> SUBMIT_JOB_EPOCH f||soon|no time
		c< JOB_CREATED $2
		c> SUBMIT_JOB_EPOCH f||-5|before
		c< JOB_CREATED $3
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|past
		w> GRAB_JOB
		w< JOB_ASSIGN $2|f|no time
		w> GRAB_JOB
		w< JOB_ASSIGN $3|f|before`},
	{name: "a time to come",
		why: "gearmand wakes workers when the job is submitted, for nothing, and not when it is due",
		script: `
		w> CAN_DO f
		w> PRE_SLEEP
		c> SUBMIT_JOB_EPOCH f|u|now+600|later
		c< JOB_CREATED $1
		gearmand| w< NOOP
		c> GET_STATUS $1
		c< STATUS_RES $1|1|0|0|0
		a! prioritystatus
		a= f 0 1 0 1
		a= .
		w> GRAB_JOB
		w< NO_JOB
		c> SUBMIT_JOB_BG f|u|at once
		c< JOB_CREATED $1
		w> GRAB_JOB
		w< NO_JOB`},
}
