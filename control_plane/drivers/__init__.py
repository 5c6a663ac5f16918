"""The world outside: hypervisors, fences, clocks. Each platform is spoken to by its driver alone."""
