#pragma once
// runtime: how a container of each kind of isolation is started and controlled.
//
//   Bundle + HostFacts -> plan (pure, one function per kind) -> LaunchPlan -> launch -> Launched
//
//   native/plan.h     namespaces, mounts, devices, identity, cgroup texts of a native container
//   native/exec_plan.h  a further process in a running one
//   launch/plan.h     LaunchPlan: everything that a launch will do, as values in order
//   launch/launch.h   the one applier, with the drawing of parent and child
//   select.cpp        the table of kinds that this build has
//
// A kind adds a plan and the set of things its Control can do, nothing else. Kinds that this build
// does not have are a typed error, never a fall to a weaker wall.

#include "bundle/bundle.h"
#include "platform/host_facts.h"
#include "runtime/native/exec_plan.h"
#include "runtime/native/plan.h"

namespace knarr::runtime {

/// One kind of isolation, as a row of the table in select.cpp.
struct Kind {
    Isolation isolation = Isolation::native;
    Result<LaunchPlan> (*plan)(const bundle::Bundle&,
                               const sys::HostFacts&,
                               const native::PlanOptions&) = nullptr;
    Result<LaunchPlan> (*plan_exec)(native::ExecInput, const sys::HostFacts&) = nullptr;
};

/// The kind's row. Errors: unsupported, saying which kinds this build has.
Result<const Kind*> select(Isolation isolation);

}  // namespace knarr::runtime
