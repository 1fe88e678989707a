// Any bytes as a seccomp profile: refused, or compiled to a filter that the kernel would take and
// that decides every call.

#include <cstdint>
#include <cstdlib>
#include <initializer_list>
#include <string>

#include <linux/audit.h>
#include <linux/bpf_common.h>

#include "bundle/seccomp_policy.h"
#include "platform/seccomp.h"
#include "platform/testdata/bpf_interpreter.h"
#include "spec/runtime_config.h"

namespace sys = knarr::sys;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string text = R"({"ociVersion":"1.2.0","root":{"path":"r"},"linux":{"seccomp":)";
    text.append(reinterpret_cast<const char*>(data), size);
    text += "}}";
    const auto config = knarr::spec::decode_runtime_config(text);
    if (!config || !config->linux_ || !config->linux_->seccomp) {
        return 0;
    }
    const auto policy = knarr::bundle::seccomp_policy(*config->linux_->seccomp);
    if (!policy) {
        return 0;
    }
    const auto program = sys::compile_seccomp(policy->policy);
    if (!program) {
        return 0;
    }
    if (program->code.empty() || program->code.size() > BPF_MAXINSNS) {
        std::abort();
    }
    for (const std::uint32_t arch : std::initializer_list<std::uint32_t>{
             AUDIT_ARCH_X86_64, AUDIT_ARCH_I386, AUDIT_ARCH_ARM, 7}) {
        for (const int number : {0, 1, 41, 56, 102, 135, 359, 511, 0x40000029, -1}) {
            seccomp_data call{};
            call.nr = number;
            call.arch = arch;
            call.args[0] = 38;
            if (!sys::testing::run_bpf(program->code, call)) {
                std::abort();
            }
        }
    }
    return 0;
}
