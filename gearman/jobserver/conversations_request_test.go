package jobserver

// requestConversations are about what single requests bring.
var requestConversations = []testConversation{
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
		why: "gearmand answers nothing, so that the client waits forever, or closes the connection",
		script: `
		ours| c> GET_STATUS *64
		ours| c< STATUS_RES *64|0|0|0|0
		ours| c> GET_STATUS_UNIQUE *64
		ours| c< STATUS_RES_UNIQUE *64|0|0|0|0|0`},
}
