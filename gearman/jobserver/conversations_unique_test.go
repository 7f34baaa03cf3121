package jobserver

// uniqueConversations are about coalescing, and clients that leave.
var uniqueConversations = []testConversation{
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
}
