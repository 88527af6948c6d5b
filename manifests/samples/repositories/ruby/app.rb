# A server that answers with one line, without any gem.
require "socket"

$stdout.sync = true
server = TCPServer.new("0.0.0.0", Integer(ENV.fetch("PORT", "3000")))
trap("TERM") { exit }

loop do
  client = server.accept
  nil while (line = client.gets) && line != "\r\n"
  words = "Hello from Ruby\n"
  client.print "HTTP/1.1 200 OK\r\nContent-Length: #{words.bytesize}\r\nConnection: close\r\n\r\n#{words}"
  client.close
end
