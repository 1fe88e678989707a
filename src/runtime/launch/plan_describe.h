#pragma once
// What a step shows of itself: the one list behind the plan's text and JSON.

#include <cstdint>
#include <string>

#include "runtime/launch/plan.h"

namespace knarr::runtime {

/// Receives the fields of a step. Empty texts and false flags are left out.
class Fields {
public:
    virtual ~Fields() = default;
    virtual void text(const char* name, const std::string& value) = 0;
    virtual void number(const char* name, std::int64_t value) = 0;
    virtual void set_flag(const char* name) = 0;
    void flag(const char* name, bool value) {
        if (value) {
            set_flag(name);
        }
    }
    void maybe(const char* name, const std::string& value) {
        if (!value.empty()) {
            text(name, value);
        }
    }
};

/// "mount", "bind", "pivot_root": stable names, in the order of Operation.
const char* kind_of(const Operation& operation);
void describe_step(const Operation& operation, Fields& fields);

/// "user,pid,mount" for CLONE_NEW* flags.
std::string namespace_names(int flags);
/// "0:100000:65536,..."
std::string mapping_text(const std::vector<spec::IdMapping>& maps);

}  // namespace knarr::runtime
