"""The verbs that do a job: one line a verb."""

from ..jobs.verb import Verbs
from . import (
    compare,
    compile,
    convert,
    edit,
    eval,
    export,
    floaters,
    import_splats,
    info,
    merge,
    render,
    rewrite,
    train,
    undistort,
    volume,
)

VERBS: Verbs = {
    module.VERB.name: module.VERB
    for module in (
        info,
        rewrite,
        train,
        convert,
        edit,
        floaters,
        merge,
        volume,
        render,
        compare,
        eval,
        export,
        import_splats,
        undistort,
        compile,
    )
}
