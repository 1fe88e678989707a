#include "platform/cgroup_devices.h"

#include <cerrno>
#include <cstddef>
#include <cstring>

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace knarr::sys {

namespace {

// Registers of the program. R1 is the context that the kernel passes.
constexpr unsigned kResult = 0;
constexpr unsigned kContext = 1;
constexpr unsigned kType = 2;    // BPF_DEVCG_DEV_*
constexpr unsigned kAccess = 3;  // BPF_DEVCG_ACC_* bits that no rule has decided yet
constexpr unsigned kMajor = 4;
constexpr unsigned kMinor = 5;
constexpr unsigned kScratch = 6;

BpfInstruction instruction(
    unsigned code, unsigned dst, unsigned src, int jump, std::int32_t value) {
    struct bpf_insn out{};
    out.code = static_cast<__u8>(code);
    out.dst_reg = static_cast<__u8>(dst & 0xfU);
    out.src_reg = static_cast<__u8>(src & 0xfU);
    out.off = static_cast<__s16>(jump);
    out.imm = value;
    BpfInstruction raw = 0;
    static_assert(sizeof raw == sizeof out);
    std::memcpy(&raw, &out, sizeof raw);
    return raw;
}

BpfInstruction load_word(unsigned dst, std::size_t offset) {
    return instruction(BPF_LDX | BPF_MEM | BPF_W, dst, kContext, static_cast<int>(offset), 0);
}

std::int32_t access_bits(const std::string& access) {
    std::int32_t bits = 0;
    for (const char c : access) {
        bits |= c == 'r'   ? BPF_DEVCG_ACC_READ
                : c == 'w' ? BPF_DEVCG_ACC_WRITE
                : c == 'm' ? BPF_DEVCG_ACC_MKNOD
                           : 0;
    }
    return bits;
}

/// Appends what one rule does; falls through to the next block when the rule does not decide.
void append_rule(std::vector<BpfInstruction>& program, const CgroupDeviceRule& rule) {
    // The block's tests jump to its end, which is known when the block is complete.
    std::vector<BpfInstruction> block;
    std::vector<std::pair<std::size_t, unsigned>> skips;  // index, register
    std::vector<std::int32_t> wanted;
    const auto require = [&](unsigned reg, std::int32_t value) {
        skips.emplace_back(block.size(), reg);
        wanted.push_back(value);
        block.push_back(0);
    };
    if (rule.type != 'a') {
        require(kType, rule.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
    }
    if (rule.major >= 0) {
        require(kMajor, static_cast<std::int32_t>(rule.major));
    }
    if (rule.minor >= 0) {
        require(kMinor, static_cast<std::int32_t>(rule.minor));
    }
    const std::int32_t bits = access_bits(rule.access);
    if (rule.allow) {
        block.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, kAccess, 0, 0, ~bits));
        block.push_back(instruction(BPF_JMP | BPF_JNE | BPF_K, kAccess, 0, 2, 0));
        block.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, 1));
    } else {
        block.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_X, kScratch, kAccess, 0, 0));
        block.push_back(instruction(BPF_ALU64 | BPF_AND | BPF_K, kScratch, 0, 0, bits));
        block.push_back(instruction(BPF_JMP | BPF_JEQ | BPF_K, kScratch, 0, 2, 0));
        block.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, 0));
    }
    block.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    for (std::size_t i = 0; i < skips.size(); ++i) {
        const auto [at, reg] = skips[i];
        const int jump = static_cast<int>(block.size() - at) - 1;
        // JMP32: numbers are 32 bits wide, an immediate of JMP would be sign-extended.
        block[at] = instruction(BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, jump, wanted[i]);
    }
    program.insert(program.end(), block.begin(), block.end());
}

long bpf(int command, union bpf_attr& attributes) {
    return syscall(SYS_bpf, command, &attributes, sizeof attributes);
}

}  // namespace

std::vector<BpfInstruction> device_program(std::span<const CgroupDeviceRule> rules) {
    std::vector<BpfInstruction> program{
        load_word(kAccess, offsetof(struct bpf_cgroup_dev_ctx, access_type)),
        instruction(BPF_ALU64 | BPF_MOV | BPF_X, kType, kAccess, 0, 0),
        instruction(BPF_ALU64 | BPF_AND | BPF_K, kType, 0, 0, 0xffff),
        instruction(BPF_ALU64 | BPF_RSH | BPF_K, kAccess, 0, 0, 16),
        load_word(kMajor, offsetof(struct bpf_cgroup_dev_ctx, major)),
        load_word(kMinor, offsetof(struct bpf_cgroup_dev_ctx, minor)),
    };
    // The last rule that matches wins, so the last one is asked first. What comes before a rule
    // that decides everything can never be reached.
    for (std::size_t i = rules.size(); i-- > 0;) {
        append_rule(program, rules[i]);
        const CgroupDeviceRule& rule = rules[i];
        if (rule.type == 'a' && rule.major < 0 && rule.minor < 0 && access_bits(rule.access) == 7) {
            break;
        }
    }
    program.push_back(instruction(BPF_ALU64 | BPF_MOV | BPF_K, kResult, 0, 0, 0));
    program.push_back(instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0));
    return program;
}

Result<> attach_device_rules(const Fd& cgroup, std::span<const CgroupDeviceRule> rules) {
    const std::vector<BpfInstruction> program = device_program(rules);
    static constexpr char kLicense[] = "Apache-2.0";
    union bpf_attr load{};
    load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
    load.insns = reinterpret_cast<std::uintptr_t>(program.data());
    load.insn_cnt = static_cast<__u32>(program.size());
    load.license = reinterpret_cast<std::uintptr_t>(kLicense);
    const long fd = bpf(BPF_PROG_LOAD, load);
    if (fd < 0) {
        const int error = errno;
        if (error == EINVAL || error == ENOSYS) {
            return fail(Errc::unsupported,
                        "load device rules ({} instructions): this kernel has no BPF programs for "
                        "cgroup devices (CONFIG_CGROUP_BPF)",
                        program.size());
        }
        return fail_errno(error, "load device rules ({} instructions)", program.size());
    }
    const Fd loaded(static_cast<int>(fd));
    union bpf_attr attach{};
    attach.target_fd = static_cast<__u32>(cgroup.get());
    attach.attach_bpf_fd = static_cast<__u32>(loaded.get());
    attach.attach_type = BPF_CGROUP_DEVICE;
    attach.attach_flags = BPF_F_ALLOW_MULTI;
    if (bpf(BPF_PROG_ATTACH, attach) != 0) {
        return fail_errno(errno, "attach device rules");
    }
    return {};
}

}  // namespace knarr::sys
