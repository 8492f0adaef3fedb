// The sockets that this process has opened, and what watches them: a forked child closes its copies.
#pragma once

#include <cstdint>

namespace obol { inline namespace v0 { namespace redis {

/// A new stream socket, not blocking and close-on-exec; -1 with errno. Every child forked while it is open closes its
/// copy before fork(2) returns there, without a word to the peer: it could otherwise disturb the parent, or keep the
/// server sending to a connection that nobody reads.
int open_socket(int family);

/// The descriptor that `open` gives, which is no socket, with the same care for forked children; close_socket() closes
/// it.
int list_descriptor(int (*open)());

/// Differs between a process and its forked children.
std::uint64_t socket_generation();

/// Closes a socket that was opened in this generation; one of the parent's is closed already, and its number may be
/// another's by now.
void close_socket(int descriptor, std::uint64_t generation);

}}}  // namespace obol::v0::redis
