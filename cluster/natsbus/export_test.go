package natsbus

// Routes counts connections with other servers, of which there are several with each.
func (b *Bus) Routes() int { return b.server.NumRoutes() }
