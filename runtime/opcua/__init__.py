"""A cell as an OPC UA machine vision system (OPC 40100-1), by a process of its own."""
