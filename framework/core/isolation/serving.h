// The component's end of the connection: what the program plumb-component does.
//
//   return plumb::serve_component(3);
//
// Calls run in the calling thread, one after the other; another one reads the socket, so that answers, a request to
// stop and the framework's end are noticed while the component works. When the framework's end is gone the process ends
// at once, whatever the component does.
// Thread contract: once, by the main thread.
#pragma once

namespace plumb {

// The exit status.
int serve_component(int socket);

}  // namespace plumb
