// The program that tools/bench runs in containers: nothing.
int main(void) {
    return 0;
}
