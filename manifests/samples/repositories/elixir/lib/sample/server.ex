defmodule Sample.Server do
  @moduledoc "A server that answers with one line, with nothing but what Erlang has."
  use Task, restart: :permanent

  @words "Hello from Elixir\n"

  def start_link(port), do: Task.start_link(__MODULE__, :listen, [port])

  def listen(port) do
    {:ok, socket} = :gen_tcp.listen(port, [:binary, packet: :http_bin, active: false, reuseaddr: true])
    accept(socket)
  end

  defp accept(socket) do
    {:ok, client} = :gen_tcp.accept(socket)
    {:ok, pid} = Task.start(fn -> answer(client) end)
    :gen_tcp.controlling_process(client, pid)
    accept(socket)
  end

  defp answer(client) do
    case :gen_tcp.recv(client, 0, 5_000) do
      {:ok, :http_eoh} ->
        head = "HTTP/1.1 200 OK\r\ncontent-length: #{byte_size(@words)}\r\nconnection: close\r\n\r\n"
        :gen_tcp.send(client, head <> @words)
        :gen_tcp.close(client)

      {:ok, _line} ->
        answer(client)

      {:error, _reason} ->
        :gen_tcp.close(client)
    end
  end
end
