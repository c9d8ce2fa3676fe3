# Writes DIR: the man pages cotan.1 and cotan-VERB.1 of every verb that the first names, and bash completion, all by
# COTAN itself, from its own tables.
function(page name)
  execute_process(COMMAND ${COTAN} ${ARGN} OUTPUT_FILE ${DIR}/${name} RESULT_VARIABLE status)
  if(status)
    message(FATAL_ERROR "cotan ${ARGN}: status ${status}")
  endif()
endfunction()

file(REMOVE_RECURSE ${DIR})
file(MAKE_DIRECTORY ${DIR})
page(cotan.1 man)
page(cotan.bash completion)
file(STRINGS ${DIR}/cotan.1 lines REGEX "^\\.BR cotan\\\\-")
foreach(line ${lines})
  string(REGEX REPLACE "^\\.BR cotan\\\\-([a-z]+).*" "\\1" verb "${line}")
  page(cotan-${verb}.1 man ${verb})
endforeach()
file(TOUCH ${DIR}/made)
