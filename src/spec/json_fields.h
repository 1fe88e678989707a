#pragma once
// One list of fields per struct, used in both directions, so that what is decoded and what is
// encoded cannot drift apart. Private to this room.
//
//   template <typename F>
//   void fields(F& f, Of<F, Rlimit>& m) {
//       f.required_of("type", m.type, kRlimits);       // missing: refused; one of these names
//       f.required("soft", m.soft);
//       f.required("hard", m.hard);
//       f.check(m.soft <= m.hard, "soft", "{} is more than hard, {}", m.soft, m.hard);
//   }
//
// required: must be there, always written. always: may be missing, always written.
// optional: may be missing, written unless it is empty, zero or false.
// The reader keeps the first error and then does nothing more; checks cost nothing when writing.

#include <algorithm>
#include <array>
#include <span>

#include "core/ascii.h"
#include "core/text.h"
#include "spec/json_reader.h"
#include "spec/json_writer.h"

namespace knarr::spec {

/// The struct as the direction `F` sees it: written structs are const.
template <typename F, typename T>
using Of = std::conditional_t<F::kReading, T, const T>;

using Names = std::span<const std::string_view>;

class FieldReader {
public:
    static constexpr bool kReading = true;
    explicit FieldReader(const JsonValue& object) : object_(object) {}

    template <typename T>
    void required(std::string_view name, T& out) {
        keep(failed() ? Result<>{} : object_.required(name, out));
    }
    template <typename T>
    void optional(std::string_view name, T& out) {
        keep(failed() ? Result<>{} : object_.optional(name, out));
    }
    template <typename T>
    void always(std::string_view name, T& out) {
        optional(name, out);
    }

    /// A text, or an enum whose values count up with `names`, that must be one of `names`.
    template <typename T>
    void required_of(std::string_view name, T& out, Names names) {
        std::string text;
        required(name, text);
        choose(name, text, names, out);
    }
    void optional_of(std::string_view name, std::string& out, Names names) {
        optional(name, out);
        if (!out.empty()) {
            choose(name, std::string(out), names, out);
        }
    }
    void each_of(std::string_view name, std::vector<std::string>& out, Names names) {
        optional(name, out);
        for (std::size_t i = 0; i < out.size(); ++i) {
            if (std::ranges::find(names, out[i]) == names.end()) {
                check_element(false, name, i, "{}", none_of(out[i], names));
            }
        }
    }
    /// A text of one character that must be one of `allowed`.
    void required_letter(std::string_view name, char& out, std::string_view allowed) {
        std::string text;
        required(name, text);
        choose_letter(name, text, allowed, out);
    }
    void optional_letter(std::string_view name, char& out, std::string_view allowed) {
        std::string text;
        optional(name, text);
        if (!text.empty()) {
            choose_letter(name, text, allowed, out);
        }
    }

    /// Refuses the document with a text about the member `name` unless `ok`.
    template <typename... Args>
    void check(bool ok,
               std::string_view name,
               fmt::format_string<const Args&...> text,
               const Args&... args) {
        if (!ok && !failed()) {
            error_ = object_.error_at(name, fmt::format(text, args...));
        }
    }

    /// The same about the element `index` of the list `name`.
    template <typename... Args>
    void check_element(bool ok,
                       std::string_view name,
                       std::size_t index,
                       fmt::format_string<const Args&...> text,
                       const Args&... args) {
        if (!ok && !failed()) {
            error_ =
                object_.error_at(fmt::format("{}[{}]", name, index), fmt::format(text, args...));
        }
    }

    /// Refuses a member that differs from one of `names` in case alone: programs in Go take it for
    /// that one.
    void no_other_case(std::initializer_list<std::string_view> names) {
        for (const auto& [member, value] : object_.children()) {
            const std::string upper = to_upper(std::string(member));
            for (const std::string_view name : names) {
                check(member == name || upper != to_upper(std::string(name)),
                      member,
                      "is written \"{}\"",
                      name);
            }
        }
    }

    Result<> finish() && { return failed() ? Result<>(fail(*std::move(error_))) : Result<>{}; }

private:
    void choose_letter(std::string_view name,
                       const std::string& text,
                       std::string_view allowed,
                       char& out) {
        check(text.size() == 1 && allowed.find(text[0]) != std::string_view::npos,
              name,
              "\"{}\" is none of the letters {}",
              printable(text, 60),
              allowed);
        out = text.empty() ? out : text[0];
    }
    bool failed() const { return error_.has_value(); }
    void keep(Result<> result) {
        if (!result) {
            error_ = std::move(result).error();
        }
    }
    template <typename T>
    void choose(std::string_view name, const std::string& text, Names names, T& out) {
        const auto found = std::ranges::find(names, text);
        if (found == names.end()) {
            check(failed(), name, "{}", failed() ? std::string() : none_of(text, names));
        } else if constexpr (std::is_enum_v<T>) {
            out = static_cast<T>(found - names.begin());
        } else {
            out = text;
        }
    }
    static std::string none_of(const std::string& text, Names names) {
        return fmt::format("\"{}\" is none of {}", printable(text, 60), fmt::join(names, ", "));
    }

    JsonValue object_;
    std::optional<Error> error_;
};

template <typename T>
concept HasFields = requires(FieldReader& f, T& value) { fields(f, value); };

template <HasFields T>
Result<> read_json(const JsonValue& value, T& out) {
    KNARR_TRY(value.expect(JsonKind::object));
    FieldReader reader(value);
    fields(reader, out);
    return std::move(reader).finish();
}

class FieldWriter {
public:
    static constexpr bool kReading = false;
    explicit FieldWriter(JsonWriter& json) : json_(json) {}

    template <typename T>
    void required(std::string_view name, const T& value) {
        json_.key(name);
        write(value);
    }
    template <typename T>
    void always(std::string_view name, const T& value) {
        required(name, value);
    }
    template <typename T>
    void optional(std::string_view name, const T& value) {
        if (!is_empty(value)) {
            required(name, value);
        }
    }
    template <typename T>
    void required_of(std::string_view name, const T& value, Names names) {
        if constexpr (std::is_enum_v<T>) {
            required(name, names[static_cast<std::size_t>(value)]);
        } else {
            required(name, value);
        }
    }
    void optional_of(std::string_view name, const std::string& value, Names) {
        optional(name, value);
    }
    void each_of(std::string_view name, const std::vector<std::string>& value, Names) {
        optional(name, value);
    }
    void required_letter(std::string_view name, char value, std::string_view) {
        required(name, std::string_view(&value, 1));
    }
    void optional_letter(std::string_view name, char value, std::string_view allowed) {
        required_letter(name, value, allowed);
    }
    template <typename... Args>
    void check(const Args&...) {}
    template <typename... Args>
    void check_element(const Args&...) {}

    template <typename T>
    void write(const T& value) {
        if constexpr (HasFields<T>) {
            json_.begin_object();
            fields(*this, value);
            json_.end_object();
        } else {
            json_.value(value);
        }
    }
    template <typename T>
    void write(const std::optional<T>& value) {
        write(*value);
    }
    template <typename T>
    void write(const std::vector<T>& elements) {
        json_.begin_array();
        for (const T& element : elements) {
            write(element);
        }
        json_.end_array();
    }
    template <typename T>
    void write(const std::map<std::string, T>& members) {
        json_.begin_object();
        for (const auto& [name, member] : members) {
            json_.key(name);
            write(member);
        }
        json_.end_object();
    }

private:
    template <typename T>
    static bool is_empty(const T& value) {
        if constexpr (std::is_arithmetic_v<T>) {
            return value == T{};
        } else if constexpr (requires { value.has_value(); }) {
            return !value.has_value();
        } else {
            return value.empty();
        }
    }

    JsonWriter& json_;
};

}  // namespace knarr::spec
