// What an empty static C++ program costs to start.
int main() {
    return 0;
}
