//! HubSpot: the vectors of third-party packages, and what must not pass.
