"""The words that say where photographs come from; `sources` reads them."""

SPECS = ("sample_photos, folder:DIR, paired:GRAY_DIR,COLOR_DIR, "
         "tfds:NAME[/CONFIG], kaggle_npy:DIR or shards:DIR")
