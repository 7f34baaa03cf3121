package wire

import "strconv"

// Type is the type of a packet, numbered as in the protocol.
type Type uint32

// The packet types, by their protocol names in Go's case. Type 5 is unused.
const (
	CanDo                     Type = 1
	CantDo                    Type = 2
	ResetAbilities            Type = 3
	PreSleep                  Type = 4
	Noop                      Type = 6
	SubmitJob                 Type = 7
	JobCreated                Type = 8
	GrabJob                   Type = 9
	NoJob                     Type = 10
	JobAssign                 Type = 11
	WorkStatus                Type = 12
	WorkComplete              Type = 13
	WorkFail                  Type = 14
	GetStatus                 Type = 15
	EchoReq                   Type = 16
	EchoRes                   Type = 17
	SubmitJobBg               Type = 18
	Error                     Type = 19
	StatusRes                 Type = 20
	SubmitJobHigh             Type = 21
	SetClientID               Type = 22
	CanDoTimeout              Type = 23
	AllYours                  Type = 24
	WorkException             Type = 25
	OptionReq                 Type = 26
	OptionRes                 Type = 27
	WorkData                  Type = 28
	WorkWarning               Type = 29
	GrabJobUniq               Type = 30
	JobAssignUniq             Type = 31
	SubmitJobHighBg           Type = 32
	SubmitJobLow              Type = 33
	SubmitJobLowBg            Type = 34
	SubmitJobSched            Type = 35
	SubmitJobEpoch            Type = 36
	SubmitReduceJob           Type = 37
	SubmitReduceJobBackground Type = 38
	GrabJobAll                Type = 39
	JobAssignAll              Type = 40
	GetStatusUnique           Type = 41
	StatusResUnique           Type = 42
)

// maxArgs is the largest count in types.
const maxArgs = 8

// types holds the protocol's name and argument count of every packet type.
var types = [...]struct {
	name string
	args int
}{
	CanDo:                     {"CAN_DO", 1},
	CantDo:                    {"CANT_DO", 1},
	ResetAbilities:            {"RESET_ABILITIES", 0},
	PreSleep:                  {"PRE_SLEEP", 0},
	Noop:                      {"NOOP", 0},
	SubmitJob:                 {"SUBMIT_JOB", 3},
	JobCreated:                {"JOB_CREATED", 1},
	GrabJob:                   {"GRAB_JOB", 0},
	NoJob:                     {"NO_JOB", 0},
	JobAssign:                 {"JOB_ASSIGN", 3},
	WorkStatus:                {"WORK_STATUS", 3},
	WorkComplete:              {"WORK_COMPLETE", 2},
	WorkFail:                  {"WORK_FAIL", 1},
	GetStatus:                 {"GET_STATUS", 1},
	EchoReq:                   {"ECHO_REQ", 1},
	EchoRes:                   {"ECHO_RES", 1},
	SubmitJobBg:               {"SUBMIT_JOB_BG", 3},
	Error:                     {"ERROR", 2},
	StatusRes:                 {"STATUS_RES", 5},
	SubmitJobHigh:             {"SUBMIT_JOB_HIGH", 3},
	SetClientID:               {"SET_CLIENT_ID", 1},
	CanDoTimeout:              {"CAN_DO_TIMEOUT", 2},
	AllYours:                  {"ALL_YOURS", 0},
	WorkException:             {"WORK_EXCEPTION", 2},
	OptionReq:                 {"OPTION_REQ", 1},
	OptionRes:                 {"OPTION_RES", 1},
	WorkData:                  {"WORK_DATA", 2},
	WorkWarning:               {"WORK_WARNING", 2},
	GrabJobUniq:               {"GRAB_JOB_UNIQ", 0},
	JobAssignUniq:             {"JOB_ASSIGN_UNIQ", 4},
	SubmitJobHighBg:           {"SUBMIT_JOB_HIGH_BG", 3},
	SubmitJobLow:              {"SUBMIT_JOB_LOW", 3},
	SubmitJobLowBg:            {"SUBMIT_JOB_LOW_BG", 3},
	SubmitJobSched:            {"SUBMIT_JOB_SCHED", 8},
	SubmitJobEpoch:            {"SUBMIT_JOB_EPOCH", 4},
	SubmitReduceJob:           {"SUBMIT_REDUCE_JOB", 4},
	SubmitReduceJobBackground: {"SUBMIT_REDUCE_JOB_BACKGROUND", 4},
	GrabJobAll:                {"GRAB_JOB_ALL", 0},
	JobAssignAll:              {"JOB_ASSIGN_ALL", 5},
	GetStatusUnique:           {"GET_STATUS_UNIQUE", 1},
	StatusResUnique:           {"STATUS_RES_UNIQUE", 6},
}

// String returns the protocol's name of t, SUBMIT_JOB_BG for SubmitJobBg, or
// the number of a type the protocol does not have.
func (t Type) String() string {
	if !t.Known() {
		return "type " + strconv.FormatUint(uint64(t), 10)
	}
	return types[t].name
}

// Known reports whether the protocol has t.
func (t Type) Known() bool {
	return uint64(t) < uint64(len(types)) && types[t].name != ""
}

// NumArgs returns how many arguments a packet of type t has: 1, all its data,
// when the protocol does not have t.
func (t Type) NumArgs() int {
	if !t.Known() {
		return 1
	}
	return types[t].args
}
