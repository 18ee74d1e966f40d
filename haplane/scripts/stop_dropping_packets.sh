# Undo drop_packets.sh. May be run again.

if nft list tables | grep -q -x 'table inet haplane_drill'; then nft delete table inet haplane_drill; fi
