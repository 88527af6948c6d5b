// A server that answers with one line, with nothing but what the system has.
#include <arpa/inet.h>
#include <csignal>
#include <cstdlib>
#include <string>
#include <sys/socket.h>
#include <unistd.h>

int main() {
    std::signal(SIGTERM, [](int) { std::_Exit(0); });
    const char* port = std::getenv("PORT");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_ANY);
    address.sin_port = htons(static_cast<uint16_t>(port ? std::stoi(port) : 8080));

    const int server = socket(AF_INET, SOCK_STREAM, 0);
    const int on = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || listen(server, 64) != 0) {
        return 1;
    }
    const std::string words = "Hello from C++\n";
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " +
                               std::to_string(words.size()) + "\r\nConnection: close\r\n\r\n" + words;
    while (true) {
        const int client = accept(server, nullptr, nullptr);
        if (client < 0) {
            continue;
        }
        char request[4096];
        if (read(client, request, sizeof request) > 0) {
            send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
        }
        close(client);
    }
}
