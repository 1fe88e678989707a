#pragma once
// runtime: how a container of each kind of isolation is started and controlled.
//
//   Bundle + HostFacts -> plan (pure, one function per kind) -> LaunchPlan -> launch -> Launched
//
// A kind adds a plan and the set of things its Control can do, nothing else. Kinds that this build
// does not have are a typed error, never a fall to a weaker wall.

#include "bundle/bundle.h"
#include "platform/host_facts.h"
#include "runtime/native/plan.h"

namespace knarr::runtime {

/// One kind of isolation, as a row of the table in select.cpp.
struct Kind {
    Isolation isolation = Isolation::native;
    Result<LaunchPlan> (*plan)(const bundle::Bundle&,
                               const sys::HostFacts&,
                               const native::PlanOptions&) = nullptr;
    bool can_pause = false, can_exec = false, can_checkpoint = false;
};

/// The kind's row. Errors: unsupported, saying which kinds this build has.
Result<const Kind*> select(Isolation isolation);

}  // namespace knarr::runtime
