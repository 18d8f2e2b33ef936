"""What a cell says, told again to an MQTT broker, by a process of its own."""
