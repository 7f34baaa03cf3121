package jobserver

// adminConversations are about the admin protocol.
var adminConversations = []testConversation{
	{name: "admin: what is wrong", script: `
		a! nonsense and more
		a= ERR UNKNOWN_COMMAND Unknown+server+commandnonsense
		a!
		a= ERR UNKNOWN_COMMAND Unknown+server+command
		a! \x20version
		a= ERR UNKNOWN_COMMAND Unknown+server+command
		a! show
		a= ERR UNKNOWN_COMMAND Unknown+server+commandshow
		a! show x
		a= ERR UNKNOWN_SHOW_ARGUMENTS
		a! show unique
		a= ERR UNKNOWN_SHOW_ARGUMENTS
		a! cancel
		a= ERR UNKNOWN_COMMAND Unknown+server+commandcancel
		a! cancel x
		a= ERR UNKNOWN_COMMAND Unknown+server+commandcancel
		a! cancel x y
		a= ERR UNKNOWN_ERROR
		a! cancel job H:x:1
		a= ERR UNKNOWN_JOB
		a! create
		a= ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+create
		a! create function f\x20
		a= ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+create
		a! drop function
		a= ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+drop
		a! drop function f
		a= ERR function not found
		a! maxqueue
		a= ERR INVALID_ARGUMENTS An+incomplete+set+of+arguments+was+sent+to+this+command+maxqueue
		a! shutdown
		a= ERR UNKNOWN_COMMAND Unknown+server+commandshutdown
		a! shutdown graceful
		a= ERR UNKNOWN_COMMAND Unknown+server+commandshutdown
		a> ECHO_REQ packets still work
		a< ECHO_RES packets still work`},
	{name: "admin: lists of nothing", script: `
		a! STATUS
		a= .
		a! prioritystatus
		a= .
		a! show jobs
		a= .
		a! Show Unique Jobs
		a= .
		a! verbose
		a= OK ERROR`},
	{name: "admin: functions", script: `
		a! create  function   f
		a= OK
		a! create function f
		a= OK
		a! status
		a= f 0 0 0
		a= .
		w> CAN_DO f
		a! drop function f
		a= ERR there are still connected workers or executing clients
		w> CANT_DO f
		a! drop function f
		a= OK
		a! status
		a= .`},
	{name: "admin: dropping a function with jobs in its queue",
		why: "gearmand drops it, and the jobs with it, which it goes on to count and look at",
		script: `
		ours| c> SUBMIT_JOB_BG f||work
		ours| c< JOB_CREATED $1
		ours| a! drop function f
		ours| a= ERR there are still connected workers or executing clients`},
	{name: "admin: maxqueue", script: `
		a! maxqueue f 1
		a= OK
		a! create function f
		a= OK
		a! maxqueue f 1
		a= OK
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|v|work
		c< ERROR QUEUE_ERROR|Job queue is full
		c> SUBMIT_JOB f||work
		c< ERROR QUEUE_ERROR|Job queue is full
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		a! maxqueue f 2 1 3
		a= OK
		c> SUBMIT_JOB_BG f||work
		c< ERROR QUEUE_ERROR|Job queue is full
		c> SUBMIT_JOB_HIGH_BG f||work
		c< JOB_CREATED $2
		c> SUBMIT_JOB_LOW_BG f||work
		c< JOB_CREATED $3
		c> SUBMIT_JOB_LOW_BG f||work
		c< ERROR QUEUE_ERROR|Job queue is full
		a! maxqueue f -1
		a= OK
		c> SUBMIT_JOB_BG f||work
		c< JOB_CREATED $4`},
	{name: "admin: jobs", script: `
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		a! show jobs
		a= $1 0 0 1
		a= .
		a! show unique jobs
		a= u
		a= .
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		a! show jobs
		a= $1 0 0 1
		a= .
		w> WORK_COMPLETE $1|
		c> SUBMIT_JOB f||work
		c< JOB_CREATED $2
		a! show jobs
		a= $2 0 0 0
		a= .
		a! show unique jobs
		a=
		a= .`},
	{name: "admin: cancelling a job that waits",
		why: "gearmand keeps it until a worker asks, and a submit of the same unique is lost with it",
		script: `
		c> SUBMIT_JOB f|u|work
		c< JOB_CREATED $1
		a! cancel job $1
		a= OK
		c< WORK_FAIL $1
		c> GET_STATUS $1
		ours|     c< STATUS_RES $1|0|0|0|0
		gearmand| c< STATUS_RES $1|1|0|0|0
		a! cancel job $1
		ours|     a= ERR UNKNOWN_JOB
		gearmand| a= OK
		gearmand| c< WORK_FAIL $1
		c> SUBMIT_JOB_BG f|u|again
		ours|     c< JOB_CREATED $2
		gearmand| c< JOB_CREATED $1
		w> CAN_DO f
		w> GRAB_JOB
		ours|     w< JOB_ASSIGN $2|f|again
		gearmand| w< NO_JOB`},
	{name: "admin: cancelling a job that runs",
		why: "gearmand sends the client a result after the failure",
		script: `
		w> CAN_DO f
		c> SUBMIT_JOB f|u|work
		c< JOB_CREATED $1
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		a! cancel job $1
		a= OK
		c< WORK_FAIL $1
		c> GET_STATUS $1
		c< STATUS_RES $1|1|1|0|0
		w> WORK_COMPLETE $1|done
		gearmand| c< WORK_COMPLETE $1|done
		c> GET_STATUS $1
		c< STATUS_RES $1|0|0|0|0`},
	{name: "admin: a client's id", script: `
		w> CAN_DO f
		w> CAN_DO g
		w> SET_CLIENT_ID me
		w! nonsense
		w= ERR UNKNOWN_COMMAND Unknown+server+commandnonsense`},
}
