"""pyinfra deploys: operations composed into the recipes that phases run."""
