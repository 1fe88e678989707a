#include "engine/generated_name.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

namespace knarr::engine {

namespace {

constexpr std::array<std::string_view, 112> kAdjectives{
    "able",     "agile",    "alert",     "amber",     "ample",    "ardent",    "awake",
    "balmy",    "blithe",   "bold",      "brave",     "breezy",   "bright",    "brisk",
    "calm",     "candid",   "cheery",    "civil",     "clear",    "clever",    "coastal",
    "cordial",  "cosy",     "crisp",     "curious",   "daring",   "deft",      "devoted",
    "diligent", "dreamy",   "eager",     "earnest",   "easy",     "exact",     "fair",
    "faithful", "fearless", "festive",   "fine",      "fleet",    "frank",     "free",
    "fresh",    "friendly", "frosty",    "gallant",   "generous", "gentle",    "gifted",
    "glad",     "golden",   "graceful",  "grand",     "hardy",    "hearty",    "helpful",
    "honest",   "hopeful",  "humble",    "intrepid",  "jaunty",   "jolly",     "jovial",
    "keen",     "kind",     "lively",    "loyal",     "lucid",    "lucky",     "mellow",
    "merry",    "mild",     "mindful",   "modest",    "neat",     "nimble",    "noble",
    "northern", "patient",  "peaceful",  "placid",    "plucky",   "polar",     "polite",
    "prompt",   "proud",    "quick",     "quiet",     "ready",    "resolute",  "robust",
    "serene",   "sincere",  "spirited",  "sprightly", "stalwart", "steadfast", "steady",
    "stellar",  "stout",    "sturdy",    "sunny",     "swift",    "thankful",  "tidal",
    "tranquil", "trusty",   "unhurried", "upbeat",    "valiant",  "vigilant",  "wakeful",
};

constexpr std::array<std::string_view, 168> kSurnames{
    "abel",         "agnesi",       "alhazen",       "amundsen",    "anning",     "archimedes",
    "avicenna",     "banks",        "banneker",      "barents",     "bartram",    "beaufort",
    "bellot",       "bering",       "bernoulli",     "bessel",      "bjerknes",   "boltzmann",
    "bolyai",       "bougainville", "bowditch",      "brahmagupta", "cabot",      "cantor",
    "cardano",      "cartier",      "cassini",       "cauchy",      "cavendish",  "celsius",
    "champlain",    "chatelet",     "clairaut",      "copernicus",  "cousteau",   "crozier",
    "dalton",       "dampier",      "davis",         "dedekind",    "delambre",   "dias",
    "diophantus",   "dirichlet",    "drebbel",       "ekman",       "elcano",     "eratosthenes",
    "eriksson",     "eudoxus",      "euler",         "faraday",     "fermat",     "fibonacci",
    "flinders",     "foucault",     "fourier",       "franklin",    "fraunhofer", "fresnel",
    "frobisher",    "galois",       "gauss",         "germain",     "gjoa",       "grimaldi",
    "gudrid",       "halley",       "hamilton",      "hanno",       "harrison",   "helmholtz",
    "henson",       "herjolfsson",  "hermite",       "herschel",    "hilbert",    "hipparchus",
    "hjort",        "hooke",        "hudson",        "humboldt",    "huygens",    "hypatia",
    "idrisi",       "ingstad",      "jacobi",        "jansz",       "johansen",   "joule",
    "kelvin",       "kepler",       "khayyam",       "kirchhoff",   "klein",      "knudsen",
    "kovalevskaya", "krusenstern",  "lagrange",      "lambert",     "laplace",    "larsen",
    "lavoisier",    "legendre",     "leibniz",       "linnaeus",    "lovelace",   "lyell",
    "magellan",     "markham",      "maskelyne",     "maury",       "maxwell",    "mercator",
    "merian",       "messier",      "minkowski",     "mitchell",    "moebius",    "monge",
    "munk",         "nansen",       "napier",        "nares",       "nearchus",   "newton",
    "nobile",       "noether",      "nordenskiold",  "oersted",     "ohm",        "orellana",
    "ortelius",     "palmer",       "parry",         "pascal",      "peary",      "piccard",
    "poincare",     "poisson",      "polo",          "ptolemy",     "pytheas",    "quiros",
    "ramanujan",    "rasmussen",    "regiomontanus", "riemann",     "ross",       "scoresby",
    "shackleton",   "somerville",   "stokes",        "strabo",      "sverdrup",   "tasman",
    "thorvald",     "torricelli",   "tupaia",        "vancouver",   "verrazzano", "vespucci",
    "viete",        "wallis",       "weddell",       "wegener",     "wilkes",     "zheng",
};

}  // namespace

std::string generated_name(std::uint64_t drawn, unsigned draw) {
    const auto take = [&](std::uint64_t count) {
        const std::uint64_t taken = drawn % count;
        drawn /= count;
        return taken;
    };
    const std::string_view adjective = kAdjectives[take(kAdjectives.size())];
    const std::string_view surname = kSurnames[take(kSurnames.size())];
    if (draw < kPlainDraws) {
        return fmt::format("{}_{}", adjective, surname);
    }
    constexpr std::uint64_t kNumbers = 100'000;
    return fmt::format("{}_{}{}", adjective, surname, take(kNumbers));
}

}  // namespace knarr::engine
