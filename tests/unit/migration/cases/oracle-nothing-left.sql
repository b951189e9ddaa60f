-- nothing
 ;;
