#pragma once
// Being in front of a container that runs in the background, as a caller asks for it.

#include <functional>
#include <string>

namespace knarr {

struct AttachRequest {
    /// The keys that leave a terminal, as docker spells them; empty: none do.
    std::string detach_keys = "ctrl-p,ctrl-q";
    bool pass_input = true;    ///< what is typed or piped goes to the program
    bool pass_signals = true;  ///< without a terminal: what we are sent goes to the program
    int cancel_fd = -1;        ///< leaves it, it goes on; -1: none
    /// Called once with the container's ID, when the program runs and before the caller's terminal
    /// is taken over.
    std::function<void(const std::string& id)> when_it_begins = {};
};

}  // namespace knarr
