require "json"
require_relative "verify"

$stdin.each_line do |line|
  request = JSON.parse(line)
  begin
    verify(request["secret"], request["headers"], request["body"].unpack1("m").force_encoding("UTF-8"))
    puts "genuine"
  rescue ArgumentError
    puts "refused"
  end
end
