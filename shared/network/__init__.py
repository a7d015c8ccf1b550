"""Hosts that contained programs may reach. Imports nothing: the egress proxy starts beside every agent."""
