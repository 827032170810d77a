"""Writes the sellers document: a shop for each language, told of its bookings at a port of its own. Prints the simulator's port.

    sellers.py FILE
"""
import base64
import json
import socket
import sys

from nacl.signing import SigningKey

# In plain sight: whoever has it signs for a shop that is nowhere.
V1A = SigningKey(b"thirty-two-bytes-in-plain-sight.")


def whsec(words):
    return "whsec_" + base64.b64encode(words.encode()).decode()


def shop(name, sim, receiver):
    return {
        "name": f"Shop {name}",
        "api_keys": [f"api-key-of-{name}-not-a-secret"],
        "popin": {
            "base_url": f"{sim}/api/v1",
            "api_key": f"popin-key-of-{name}-not-a-secret",
            "token": f"popin-token-of-{name}-not-a-secret",
        },
        "webhooks": {"popin": {"keys": [f"webhook-key-of-{name}-not-a-secret"]}},
        "crm": {
            "standard": {
                "secrets": [
                    whsec(f"what signs for {name}, not a secret"),
                    "whpk_" + base64.b64encode(V1A.verify_key.encode()).decode(),
                ]
            },
            "hubspot": {
                "client_secrets": [f"hubspot-secret-of-{name}"],
                "signatures": ["v3", "v2"],
                "public_url": f"https://api.example.com/v1/crm/{name}/hubspot",
                "access_token": "hubspot-access-token",
                "api_base": f"{sim}/crm/hubspot",
                # The simulated CRMs' own key; without it no action is told to wait.
                "write_back": {"access_token": "simulated-crm-key-not-a-secret", "fields": {"state": "vc_state"}},
            },
            "salesforce": {
                "path_secrets": [f"path-secret-of-{name}"],
                "organization_ids": ["00D000000000001EAA"],
            },
            "shopify": {"secrets": [f"new-shopify-secret-of-{name}", f"old-shopify-secret-of-{name}"]},
        },
        # Two at once, as while one is rotated.
        "notify": {
            "url": f"{receiver}/hooks/frontdesk",
            "secrets": [whsec(f"the new one of {name}, not a secret"), whsec(f"the old one of {name}, not a secret")],
        },
    }


def main():
    sockets = [socket.socket() for _ in range(3)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    sim, python, node = (f"http://127.0.0.1:{port}" for port in ports)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump({"python": shop("python", sim, python), "node": shop("node", sim, node)}, file)
    print(ports[0])


if __name__ == "__main__":
    main()
