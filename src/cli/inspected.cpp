#include "cli/inspected.h"

#include "cli/containers.h"
#include "cli/indented_json.h"
#include "cli/json_template.h"

namespace knarr::cli {

Result<int> print_inspected(Context& context,
                            const Parsed& args,
                            std::string_view noun,
                            const std::function<Result<std::string>(std::string_view name)>& find) {
    const std::string_view format = args.get("format");
    const bool by_template = !format.empty() && format != "json";
    const Template shown = KNARR_TRY(Template::parse(format));
    std::string array;
    Result<int> status =
        for_each_named(context, args, noun, [&](std::string_view name) -> Result<> {
            const std::string one = KNARR_TRY(find(name));
            if (by_template) {
                const std::string text = KNARR_TRY(shown.render(one));
                return print(text + "\n");
            }
            array += (array.empty() ? "" : ",") + one;
            return {};
        });
    if (!by_template && !args.positionals.empty()) {
        array = "[" + array + "]";
        KNARR_TRY(print((format.empty() ? indented_json(array) : array) + "\n"));
    }
    return status;
}

}  // namespace knarr::cli
