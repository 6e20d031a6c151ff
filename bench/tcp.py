# One libtorrent fetches a file from another over TCP on this machine: python3 tcp.py FILE FOLDER
# Prints the seconds from the first byte until all is there and checked.
import os, sys, time
import libtorrent as lt

file, folder = sys.argv[1:]
settings = {'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False,
            'enable_incoming_utp': False, 'allow_multiple_connections_per_ip': True}

def session():
    return lt.session({**settings, 'listen_interfaces': '127.0.0.1:0'})

storage = lt.file_storage()
lt.add_files(storage, file)
torrent = lt.create_torrent(storage, 0, flags=lt.create_torrent.v1_only)
lt.set_piece_hashes(torrent, os.path.dirname(file))
info = lt.torrent_info(torrent.generate())

giver, taker = session(), session()
seed = giver.add_torrent({'ti': info, 'save_path': os.path.dirname(file), 'flags': lt.torrent_flags.seed_mode})
while not seed.status().is_seeding: time.sleep(0.01)
got = taker.add_torrent({'ti': info, 'save_path': folder})
got.connect_peer(('127.0.0.1', giver.listen_port()))
begun = None
while not got.status().is_seeding:
    if begun is None and got.status().total_payload_download > 0: begun = time.monotonic()
    time.sleep(0.005)
print('seconds', round(time.monotonic() - begun, 4))
