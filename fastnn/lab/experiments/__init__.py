"""One experiment a module; fastnn.lab.catalogue knows them."""
