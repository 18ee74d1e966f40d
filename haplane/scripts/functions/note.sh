# note FILE...: remember them as they are now. What kubeadm made is noted by the script that has it made: between two
# commands a run can end, and the next would take kubeadm's work for an edit.
# $note_program: operations/on_host/note.py

note() {
    python3 -I -c "$note_program" "$@"
}
