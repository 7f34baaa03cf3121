package jobserver

import (
	"testing"

	"revstamp/gearman/gearmantest"
)

// conversations are had with this server and with gearmand 1.1.20. Where the
// two differ, the difference is in the lines marked for one of them, and why is
// its reason.
var conversations = []struct {
	name   string
	why    string
	script string
}{
	{name: "a background job", script: `
		c> SUBMIT_JOB_BG f||work
		c< JOB_CREATED $1
		c> GET_STATUS $1
		c< STATUS_RES $1|1|0|0|0
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		w> WORK_STATUS $1|3|7
		c> GET_STATUS $1
		c< STATUS_RES $1|1|1|3|7
		w> WORK_DATA $1|x
		w> WORK_COMPLETE $1|done
		c> GET_STATUS $1
		c< STATUS_RES $1|0|0|0|0
		w> GRAB_JOB
		w< NO_JOB`},
	{name: "a foreground job", script: `
		w> CAN_DO f
		c> SUBMIT_JOB f|u|work
		c< JOB_CREATED $1
		w> GRAB_JOB_UNIQ
		w< JOB_ASSIGN_UNIQ $1|f|u|work
		w> WORK_STATUS $1|1|2
		c< WORK_STATUS $1|1|2
		w> WORK_DATA $1|some
		c< WORK_DATA $1|some
		w> WORK_WARNING $1|hm
		c< WORK_WARNING $1|hm
		w> WORK_STATUS $1|x|9
		c< WORK_STATUS $1|x|9
		c> GET_STATUS $1
		c< STATUS_RES $1|1|1|0|9
		w> WORK_COMPLETE $1|do\x00ne
		c< WORK_COMPLETE $1|do\x00ne
		w> WORK_COMPLETE $1|again
		w< ERROR JOB_NOT_FOUND|Job given in work result not found`},
	{name: "a job fails", script: `
		w> CAN_DO f
		c> SUBMIT_JOB_LOW f||work
		c< JOB_CREATED $1
		w> GRAB_JOB_ALL
		w< JOB_ASSIGN_UNIQ $1|f||work
		w> WORK_FAIL $1
		c< WORK_FAIL $1
		c> GET_STATUS $1
		c< STATUS_RES $1|0|0|0|0`},
	{name: "an exception ends the job and is for those who asked",
		why: "gearmand sends the others a WORK_FAIL whose handle has a NUL at its end",
		script: `
		w> CAN_DO f
		c> OPTION_REQ exceptions
		c< OPTION_RES exceptions
		c> SUBMIT_JOB f|u|work
		c< JOB_CREATED $1
		d> SUBMIT_JOB_HIGH f|u|work
		d< JOB_CREATED $1
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		w> WORK_EXCEPTION $1|boom
		c< WORK_EXCEPTION $1|boom
		ours|     d< WORK_FAIL $1
		gearmand| d< WORK_FAIL $1\x00
		w> WORK_FAIL $1
		w< ERROR JOB_NOT_FOUND|Job given in work result not found`},
	{name: "options", script: `
		c> OPTION_REQ Exceptions
		c< OPTION_RES Exceptions
		c> OPTION_REQ
		c< ERROR UNKNOWN_OPTION|Server does not recognize given option
		c> OPTION_REQ *70
		c< ERROR UNKNOWN_OPTION|Server does not recognize given option`},
	{name: "echo", script: `
		c> ECHO_REQ
		c< ECHO_RES
		c> ECHO_REQ a|b
		c< ECHO_RES a\x00b`},
	{name: "results for a job nobody has", script: `
		w> WORK_DATA H:x:1|d
		w< ERROR JOB_NOT_FOUND|Job does not exist on server
		w> WORK_WARNING H:x:1|d
		w< ERROR JOB_NOT_FOUND|Job does not exist on server
		w> WORK_STATUS H:x:1|1|2
		w< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> WORK_COMPLETE H:x:1|d
		w< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> WORK_EXCEPTION H:x:1|d
		w< ERROR JOB_NOT_FOUND|An exception was received for a job that does not exist
		w> WORK_FAIL H:x:1
		w< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> WORK_FAIL *64
		w< ERROR ARGUMENT_TOO_LARGE|Error occurred due to GEARMAND_JOB_HANDLE_SIZE being too small from snprintf
		w> WORK_COMPLETE *64|d
		w< ERROR JOB_NOT_FOUND|Job given in work result not found`},
	{name: "results from a worker that does not hold the job", script: `
		c> SUBMIT_JOB_BG f||work
		c< JOB_CREATED $1
		v> WORK_COMPLETE $1|queued
		v< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		v> CAN_DO f
		v> WORK_STATUS $1|1|2
		v< ERROR JOB_NOT_FOUND|Job given in work result not found
		v> WORK_COMPLETE $1|stolen
		v< ERROR JOB_NOT_FOUND|Job given in work result not found
		w> WORK_COMPLETE $1|`},
	{name: "what is no request", script: `
		c> NOOP
		c< ERROR INVALID_COMMAND|Command not expected
		c> JOB_CREATED x
		c< ERROR INVALID_COMMAND|Command not expected
		c> ERROR a|b
		c< ERROR INVALID_COMMAND|Command not expected
		c> #5
		c< ERROR INVALID_COMMAND|Command not expected
		c> ALL_YOURS
		c< ERROR INVALID_COMMAND|Command not expected
		c> SUBMIT_JOB_SCHED f|u|1|2|3|4|5|work
		c< ERROR INVALID_COMMAND|Command not expected
		c> RES:ECHO_REQ x
		c< ERROR INVALID_MAGIC|Request magic expected
		c> ECHO_REQ still here
		c< ECHO_RES still here`},
	{name: "a type the protocol does not have", script: `
		c> #99 x
		c/`},
	{name: "magic", script: `
		c! \x00ABC12345678
		c/`},
	{name: "too few arguments",
		why: "gearmand waits for more and takes the bytes of the next packet",
		script: `
		c> SUBMIT_JOB f|u
		ours|     c< ERROR INVALID_PACKET|arguments of SUBMIT_JOB: 2 given, 3 wanted
		gearmand| c> ECHO_REQ x
		c/`},
	{name: "reduce",
		why: "gearmand does not answer the request in the form the protocol documents",
		script: `
		ours| c> SUBMIT_REDUCE_JOB f|u|sum|work
		ours| c< JOB_CREATED $1
		ours| w> CAN_DO f
		ours| w> GRAB_JOB_ALL
		ours| w< JOB_ASSIGN_ALL $1|f|u|sum|work
		ours| w> WORK_COMPLETE $1|done
		ours| c< WORK_COMPLETE $1|done
		ours| c> SUBMIT_REDUCE_JOB_BACKGROUND f|u|sum|work
		ours| c< JOB_CREATED $2
		ours| w> GRAB_JOB_UNIQ
		ours| w< JOB_ASSIGN_UNIQ $2|f|u|work`},

	{name: "coalescing", script: `
		c> SUBMIT_JOB_BG f|u|one
		c< JOB_CREATED $1
		c> SUBMIT_JOB_HIGH_BG f|u|two
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG g|u|one
		c< JOB_CREATED $2
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|one
		d> SUBMIT_JOB f|u|three
		d< JOB_CREATED $1
		d> SUBMIT_JOB f|u|four
		d< JOB_CREATED $1
		c> SUBMIT_JOB f|u|five
		c< JOB_CREATED $1
		w> WORK_DATA $1|d
		d< WORK_DATA $1|d
		d< WORK_DATA $1|d
		c< WORK_DATA $1|d
		w> WORK_COMPLETE $1|done
		d< WORK_COMPLETE $1|done
		d< WORK_COMPLETE $1|done
		c< WORK_COMPLETE $1|done
		c> SUBMIT_JOB_BG f|u|six
		c< JOB_CREATED $3`},
	{name: "an empty unique never coalesces", script: `
		c> SUBMIT_JOB_BG f||same
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f||same
		c< JOB_CREATED $2`},
	{name: "the unique - coalesces by workload", script: `
		c> SUBMIT_JOB_BG f|-|same
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|-|same
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|-|other
		c< JOB_CREATED $2
		c> SUBMIT_JOB_BG f|-|
		c< JOB_CREATED $3
		c> SUBMIT_JOB_BG f|-|
		c< JOB_CREATED $4
		c> SUBMIT_JOB_BG g|-|same
		c< JOB_CREATED $5
		c> GET_STATUS_UNIQUE -
		c< STATUS_RES_UNIQUE -|0|0|0|0|0
		w> CAN_DO f
		w> GRAB_JOB_UNIQ
		w< JOB_ASSIGN_UNIQ $1|f|-|same
		c> SUBMIT_JOB_BG f|-|same
		c< JOB_CREATED $1`},
	{name: "long uniques",
		why: "gearmand cuts a unique of 64 bytes and puts a NUL before the workload instead",
		script: `
		c> SUBMIT_JOB_BG f|*63|work
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|*63|work
		c< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|*64|work
		c< JOB_CREATED $2
		c> SUBMIT_JOB_BG f|*64|work
		c< JOB_CREATED $3
		c> SUBMIT_JOB_BG f|*65|work
		c< ERROR ARGUMENT_TOO_LARGE|Unique value too large
		c> SUBMIT_JOB f|*65|work
		c< ERROR ARGUMENT_TOO_LARGE|Unique value too large
		w> CAN_DO f
		w> GRAB_JOB_UNIQ
		w< JOB_ASSIGN_UNIQ $1|f|*63|work
		w> GRAB_JOB_UNIQ
		ours|     w< JOB_ASSIGN_UNIQ $2|f|*64|work
		gearmand| w< JOB_ASSIGN_UNIQ $2|f|*63|\x00work`},
	{name: "long functions", script: `
		c> SUBMIT_JOB_BG *5000||work
		c< JOB_CREATED $1
		w> CAN_DO *5000
		w> GRAB_JOB
		w< JOB_ASSIGN $1|*5000|work`},
	{name: "a background job outlives a foreground client that attached to it",
		why: "gearmand loses the job",
		script: `
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		c> GET_STATUS_UNIQUE u
		c< STATUS_RES_UNIQUE u|1|0|0|0|1
		d.
		ours|     a~ show jobs: $1 0 0 1
		gearmand| a~ show jobs: $1 0 1 0
		w> CAN_DO f
		w> GRAB_JOB
		ours|     w< JOB_ASSIGN $1|f|work
		gearmand| w< NO_JOB`},
	{name: "a background submit keeps the foreground job it coalesced with",
		why: "gearmand loses the job when the foreground client leaves",
		script: `
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		d^
		d/
		gearmand| a~ show jobs: $1 0 1 0
		ours| c> GET_STATUS_UNIQUE u
		ours| c< STATUS_RES_UNIQUE u|1|0|0|0|0
		w> CAN_DO f
		w> GRAB_JOB
		ours|     w< JOB_ASSIGN $1|f|work
		gearmand| w< NO_JOB`},
	{name: "a background submit after the foreground client has left",
		why: "gearmand lets it coalesce with the abandoned job, which it never runs",
		script: `
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		d.
		gearmand| a~ show jobs: $1 0 1 0
		ours|     a~ status: f 0 0 0
		c> SUBMIT_JOB_BG f|u|work
		gearmand| c< JOB_CREATED $1
		ours|     c< JOB_CREATED $2
		w> CAN_DO f
		w> GRAB_JOB
		gearmand| w< NO_JOB
		ours|     w< JOB_ASSIGN $2|f|work`},

	{name: "an abandoned foreground job is not run",
		why: "gearmand keeps it until a worker asks, known and counted",
		script: `
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		e> SUBMIT_JOB f||stays
		e< JOB_CREATED $2
		d.
		gearmand| a~ show jobs: $1 0 1 0
		ours|     a~ status: f 1 0 0
		a> GET_STATUS $1
		gearmand| a< STATUS_RES $1|1|0|0|0
		ours|     a< STATUS_RES $1|0|0|0|0
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $2|f|stays
		w> GRAB_JOB
		w< NO_JOB`},
	{name: "an abandoned foreground job that runs is finished", script: `
		w> CAN_DO f
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		d.
		a~ show jobs: $1 0 1 0
		a> GET_STATUS $1
		a< STATUS_RES $1|1|1|0|0
		w> WORK_COMPLETE $1|done
		a> GET_STATUS $1
		a< STATUS_RES $1|0|0|0|0`},
	{name: "a client that sends no more is gone", script: `
		d> SUBMIT_JOB_BG f||stays
		d< JOB_CREATED $1
		d^
		d/
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|stays`},

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
	{name: "a job that is due",
		why: "gearmand does not tell the worker that sleeps",
		script: `
		w> CAN_DO f
		c> SUBMIT_JOB_EPOCH f|u|now+2|later
		c< JOB_CREATED $1
		ours| w> PRE_SLEEP
		ours| w< NOOP
		ours| w> GRAB_JOB
		ours| w< JOB_ASSIGN $1|f|later`},

	{name: "status", script: `
		c> GET_STATUS H:x:1
		c< STATUS_RES H:x:1|0|0|0|0
		c> GET_STATUS
		c< STATUS_RES |0|0|0|0
		c> GET_STATUS *63
		c< STATUS_RES *63|0|0|0|0
		c> GET_STATUS_UNIQUE u
		c< STATUS_RES_UNIQUE u|0|0|0|0|0
		c> GET_STATUS_UNIQUE
		c< STATUS_RES_UNIQUE |0|0|0|0|0
		c> SUBMIT_JOB_BG f|u|work
		c< JOB_CREATED $1
		c> GET_STATUS $1\x00
		c< STATUS_RES $1|1|0|0|0
		c> GET_STATUS_UNIQUE u
		c< STATUS_RES_UNIQUE u|1|0|0|0|0
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		d> SUBMIT_JOB f|u|work
		d< JOB_CREATED $1
		c> SUBMIT_JOB f|u|work
		c< JOB_CREATED $1
		w> CAN_DO f
		w> GRAB_JOB
		w< JOB_ASSIGN $1|f|work
		w> WORK_STATUS $1|3|10
		c< WORK_STATUS $1|3|10
		d< WORK_STATUS $1|3|10
		d< WORK_STATUS $1|3|10
		a> GET_STATUS_UNIQUE u
		a< STATUS_RES_UNIQUE u|1|1|3|10|3`},
	{name: "status of what is too long",
		why: "gearmand answers nothing, and whoever waits for the answer waits forever",
		script: `
		c> GET_STATUS *64
		ours| c< STATUS_RES *64|0|0|0|0
		c> GET_STATUS_UNIQUE *64
		ours| c< STATUS_RES_UNIQUE *64|0|0|0|0|0`},

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

func TestConformance(t *testing.T) {
	for _, tt := range conversations {
		t.Run(tt.name, func(t *testing.T) {
			t.Run("ours", func(t *testing.T) {
				t.Parallel()
				converse(t, start(t, new(Server)), "ours", tt.script)
			})
			t.Run("gearmand", func(t *testing.T) {
				t.Parallel()
				converse(t, gearmantest.Start(t).Addr, "gearmand", tt.script)
			})
		})
	}
}
