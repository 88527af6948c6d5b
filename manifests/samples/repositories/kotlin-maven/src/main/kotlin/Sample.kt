package com.example

import com.sun.net.httpserver.HttpServer
import java.net.InetSocketAddress

fun main() {
    val port = System.getenv("PORT")?.toInt() ?: 8080
    val server = HttpServer.create(InetSocketAddress(port), 0)
    server.createContext("/") { exchange ->
        val words = "Hello from Kotlin\n".toByteArray()
        exchange.sendResponseHeaders(200, words.size.toLong())
        exchange.responseBody.use { it.write(words) }
    }
    server.start()
    Runtime.getRuntime().addShutdownHook(Thread { server.stop(0) })
}
