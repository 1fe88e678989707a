// The container that tools/bench executes programs in: it waits to be killed.
#include <unistd.h>

int main(void) {
    while (1) {
        pause();
    }
}
