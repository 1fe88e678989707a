#include "cli/row_format.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

std::string rows(std::string_view format) {
    auto parsed = RowFormat::parse(format, R"({"Names":"NAMES","Status":"STATUS"})");
    if (!parsed) {
        return "! " + parsed.error().message;
    }
    RowFormat rows = *std::move(parsed);
    for (const std::string_view row :
         {R"({"Names":"a","Status":"Up 5 minutes"})", R"({"Names":"longer","Status":"Exited"})"}) {
        if (const Result<> added = rows.add(row); !added) {
            return "! " + added.error().message;
        }
    }
    return *std::move(rows).text();
}

TEST(RowFormat, ATemplateForEachRow) {
    EXPECT_EQ(rows("{{.Names}}"), "a\nlonger\n");
    EXPECT_EQ(rows("{{.Names}}\\t{{.Status}}"), "a\tUp 5 minutes\nlonger\tExited\n");
    EXPECT_EQ(rows("json").substr(0, 12), R"({"Names":"a")");
    EXPECT_TRUE(rows("{{.Names").starts_with("! "));
    EXPECT_TRUE(rows("{{.Nmes}}").starts_with("! "));
}

TEST(RowFormat, ATableHasAHeadingAndColumns) {
    const std::string table = rows("table {{.Names}}\\t{{.Status}}");
    EXPECT_EQ(table.substr(0, table.find('\n')), "NAMES    STATUS");
    EXPECT_NE(table.find("\na        Up 5 minutes"), std::string::npos) << table;
    EXPECT_EQ(rows("table{{.Names}}"), "tablea\ntablelonger\n");
}

}  // namespace
}  // namespace knarr::cli
