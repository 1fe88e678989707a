#include "spec/json_copy.h"

namespace knarr::spec {

Result<> copy_value(const JsonValue& value, JsonWriter& json) {
    switch (value.kind()) {
        case JsonKind::null:
            json.null();
            break;
        case JsonKind::boolean:
            json.value(KNARR_TRY(value.boolean()));
            break;
        case JsonKind::string:
            json.value(KNARR_TRY(value.string()));
            break;
        case JsonKind::number:
            if (const auto whole = value.integer(INT64_MIN, INT64_MAX)) {
                json.value(*whole);
            } else {
                json.value(KNARR_TRY(value.unsigned_integer(UINT64_MAX)));
            }
            break;
        case JsonKind::array:
            json.begin_array();
            for (const auto& [name, element] : value.children()) {
                KNARR_TRY(copy_value(element, json));
            }
            json.end_array();
            break;
        case JsonKind::object:
            json.begin_object();
            for (const auto& [name, member] : value.children()) {
                json.key(name);
                KNARR_TRY(copy_value(member, json));
            }
            json.end_object();
            break;
    }
    return {};
}

}  // namespace knarr::spec
