// How work ends that the run was told to stop: not a failure, so no Error, and nobody between may turn it into one.
//
//   if (host.cancelled()) throw Cancelled{};     // what is done by now is on disk
//
// Thread contract: a value type.
#pragma once

namespace plumb {

// Thrown by whoever saw Host::cancelled() with its durable state on disk; caught by whoever runs stages.
struct Cancelled {};

}  // namespace plumb
