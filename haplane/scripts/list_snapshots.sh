# Print DIRECTORY/FILE of every file of every snapshot.
# $directory: where a member keeps its snapshots

test ! -d "$directory" || find "$directory/" -mindepth 2 -maxdepth 2 -type f -printf '%P\n'
