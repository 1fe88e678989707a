#pragma once
// What a registry asks for when it answers 401.

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace knarr::registry {

/// One way to log in that the server offers.
struct Challenge {
    std::string scheme;                                  ///< lower case: "bearer", "basic"
    std::map<std::string, std::string> parameters = {};  ///< names in lower case
};

/// The challenges of one WWW-Authenticate field, in order; several may share a line, and values may
/// be quoted strings with commas. What cannot be understood is left out.
/// Source: RFC 9110 section 11.6.1.
std::vector<Challenge> parse_challenges(std::string_view field);

}  // namespace knarr::registry
