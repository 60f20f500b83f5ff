// From what a server says to an answer as the framework's own engine gives it: ids with the token that ended them.
//
//   plumb::Response response = answer_of(reply, question);        // text is left empty
//
// Thread contract: functions are [any].
#pragma once

#include <plumb/records.h>

#include "dialect.h"

namespace remote {

// Error(run_failed) for what no right server says: another prompt than was sent, ids that the model does not have, more
// tokens than were asked for, fewer without an end, an end that the model does not have.
plumb::Response answer_of(const Reply& reply, const Question& question);

}  // namespace remote
