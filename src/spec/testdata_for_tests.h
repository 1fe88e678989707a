#pragma once

#include <fstream>
#include <sstream>
#include <string>

namespace knarr::spec::testing {

/// The text of a file of src/spec/testdata, or "" when it is not there.
inline std::string testdata(const std::string& name) {
    std::ifstream file(std::string(KNARR_TESTDATA "/") + name);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

}  // namespace knarr::spec::testing
