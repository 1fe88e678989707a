#include "cli/indented_json.h"

#include <gtest/gtest.h>

namespace knarr::cli {
namespace {

TEST(IndentedJson, HasAMemberALine) {
    EXPECT_EQ(indented_json(R"([{"Id":"a","Env":["x=1","y"],"n":-1.5}])"),
              "[\n"
              "    {\n"
              "        \"Id\": \"a\",\n"
              "        \"Env\": [\n"
              "            \"x=1\",\n"
              "            \"y\"\n"
              "        ],\n"
              "        \"n\": -1.5\n"
              "    }\n"
              "]");
}

TEST(IndentedJson, LeavesWhatIsEmptyOnOneLine) {
    EXPECT_EQ(indented_json("[]"), "[]");
    EXPECT_EQ(indented_json(R"({"a":{},"b":[ ],"c":null})"),
              "{\n    \"a\": {},\n    \"b\": [],\n    \"c\": null\n}");
}

TEST(IndentedJson, TouchesNoText) {
    EXPECT_EQ(indented_json(R"(["a: {,} \" [x]\\","\\"])"),
              "[\n    \"a: {,} \\\" [x]\\\\\",\n    \"\\\\\"\n]");
}

TEST(IndentedJson, GivesWhatIsIndentedOtherwiseTheSameForm) {
    const std::string once = indented_json(R"([{"a":[1,2]},{"b":{}}])");
    EXPECT_EQ(indented_json(once), once);
}

TEST(IndentedJson, GoesIntoAnotherOne) {
    EXPECT_EQ("[\n\t" + indented_json(R"({"a":[1]})", "\t", 1) + "\n]",
              indented_json(R"([{"a":[1]}])", "\t"));
}

TEST(IndentedJson, EndsWithATextThatIsCutOff) {
    EXPECT_EQ(indented_json("[\"a\\"), "[\n    \"a\\");
    EXPECT_EQ(indented_json("]]"), "\n]\n]");
}

}  // namespace
}  // namespace knarr::cli
