# $file: what is written to standard output

cat -- "$file"
