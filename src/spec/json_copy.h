#pragma once
// A part of a parsed document, written again: for documents of others in which one thing changes.

#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::spec {

/// A value of a document, written again. Errors: for a number that is no whole one, which would
/// not stay what it is.
Result<> copy_value(const JsonValue& value, JsonWriter& json);

}  // namespace knarr::spec
