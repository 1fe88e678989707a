#include "cli/completion.h"

#include <gtest/gtest.h>

#include "cli/help.h"
#include "cli/man.h"

namespace knarr::cli {
namespace {

TEST(Completion, KnowsEachVerbAndOptionInEachShell) {
    const std::string bash = bash_completion(), zsh = zsh_completion(), fish = fish_completion();
    std::size_t options = 0;
    for (const VerbPath& one : verb_paths(all_verbs())) {
        EXPECT_NE(bash.find("'" + one.path + "') options="), std::string::npos) << one.path;
        EXPECT_NE(zsh.find("'" + one.path + "') options="), std::string::npos) << one.path;
        for (const Option& option : one.verb->options) {
            ++options;
            const std::string name(option.name);
            EXPECT_NE(bash.find("--" + name), std::string::npos) << name;
            EXPECT_NE(zsh.find("'--" + name + ":"), std::string::npos) << name;
            EXPECT_NE(fish.find(" -l " + name), std::string::npos) << name;
        }
    }
    EXPECT_GT(options, 300U);
}

TEST(Completion, KnowsWhatAVerbIsAbout) {
    EXPECT_EQ(arguments_of(kStop), ArgumentKind::containers);
    EXPECT_EQ(arguments_of(kRun), ArgumentKind::images);
    EXPECT_EQ(arguments_of(kImage), ArgumentKind::verbs);
    EXPECT_EQ(arguments_of(kInfo), ArgumentKind::files);
}

TEST(Man, HasEachVerbAndEachOfItsOptions) {
    const std::string general = general_man();
    for (const Verb* verb : all_verbs()) {
        EXPECT_NE(general.find("\\fBknarr\\-" + std::string(verb->name)), std::string::npos)
            << verb->name;
    }
    for (const VerbPath& one : verb_paths(all_verbs())) {
        const std::string page = verb_man(*one.verb, one.path);
        EXPECT_TRUE(page.starts_with(".TH knarr\\-"));
        for (std::size_t at = page.find("\n'"); at != std::string::npos;
             at = page.find("\n'", at + 1)) {
            ADD_FAILURE() << one.path << ": a text became a request";
        }
        for (const Option& option : one.verb->options) {
            EXPECT_NE(page.find("\\-\\-" + std::string(1, option.name[0])), std::string::npos)
                << option.name;
        }
    }
}

}  // namespace
}  // namespace knarr::cli
