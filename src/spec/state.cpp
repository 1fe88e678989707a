#include "spec/state.h"

namespace knarr::spec {

namespace {

void write_head(JsonWriter& json, const State& state) {
    json.member("ociVersion", kRuntimeSpecVersion);
    json.member("id", state.id);
}

}  // namespace

std::string encode_hook_state(const State& state) {
    JsonWriter json;
    json.begin_object();
    write_head(json, state);
    json.member("status", name_of(state.status));
    if (state.pid != 0) {
        json.member("pid", state.pid);
    }
    json.member("bundle", state.bundle);
    if (!state.annotations.empty()) {
        json.member("annotations", state.annotations);
    }
    json.end_object();
    return std::move(json).text();
}

void write_state(JsonWriter& json, const State& state) {
    json.begin_object();
    write_head(json, state);
    // runc's order: tools print it, people compare it.
    json.member("pid", state.pid);
    json.member("status", name_of(state.status));
    json.member("bundle", state.bundle);
    json.member("rootfs", state.rootfs);
    json.member("created", state.created);
    if (!state.annotations.empty()) {
        json.member("annotations", state.annotations);
    }
    json.member("owner", state.owner);
    json.end_object();
}

}  // namespace knarr::spec
