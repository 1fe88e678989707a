#pragma once
// core: what every room needs and nothing more. No system calls that touch the world, no JSON, no
// threads, no policy.
//
//   error.cpp    the table behind knarr/error.h: code -> category, retryable, exit status, hint
//   limits.h     bounds that several files hold, and the two policies
//   text.h       strict numbers, splitting, quoting for messages; words.h: the parts of a line
//   rollback.h   the undo list of all-or-nothing work
//   clock.h      time, injected; a manual clock for tests
//   random.h     randomness, injected; a seeded one for tests
//   uuid.h       time-ordered container IDs      ascii.h  letters, whatever the locale is
//   loopback.h   which hosts of addresses are this machine
//   trace.h      where the time goes, for --debug
//   overloaded.h one callable of several, for std::visit
//   fault.h      named points at which a test can make the next step fail

#include "core/limits.h"
#include "core/rollback.h"
#include "core/text.h"
